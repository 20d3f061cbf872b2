{% macro currency_code(text) -%}
    {#- ISO 4217 code in capitals, without blanks around it; null where the source says that it has
        none. -#}
    case
        when not {{ is_one_of('lower(trim(' ~ text ~ '))', placeholders()) }}
            then upper(trim({{ text }}))
    end
{%- endmacro %}
