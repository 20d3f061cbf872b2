{% macro placeholders() -%}
    {#- What sources write, in lower case, where there is no id, number or code: the texts behind `in`,
        the same as PLACEHOLDERS in orchestration/sources.py. -#}
    '', '0', '-', '(not set)', '(none)', '(data deleted)', '<other>', 'null', 'nil', 'none', 'nan',
    'n/a', 'undefined', 'unknown'
{%- endmacro %}
