{% macro currency_code(text) -%}
    {#- ISO 4217 code in capitals, without blanks around it; null where the source says that it has
        none. -#}
    case
        when lower(trim({{ text }})) not in ({{ placeholders() }}) then upper(trim({{ text }}))
    end
{%- endmacro %}
