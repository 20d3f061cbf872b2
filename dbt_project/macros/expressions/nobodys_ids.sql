{% macro nobodys_ids() -%}
    {#- What sources write, in lower case, where they know no visitor and no login: the texts behind
        `in`. The zeros are those of anonymous tracking. -#}
    {{ placeholders() }}, 'anonymous', 'guest', '00000000-0000-0000-0000-000000000000'
{%- endmacro %}
