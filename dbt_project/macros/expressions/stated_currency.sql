{% macro stated_currency(text, column='currency') -%}
    {#- `currency_code` of a raw column; a text that could not be read stays as what was kept of it, a
        currency without a rate, so that its money is not taken for the reporting currency. -#}
    coalesce({{ currency_code(text) }}, {{ json_text('unreadable', "'" ~ column ~ "'") }})
{%- endmacro %}
