{% macro rate_holds(rates, moment) -%}
    {#- True for the row of `rates`, int_currency_rates, that holds at a UTC moment: on its date in the
        reporting time zone, as money is counted by that date and the rates of spend are too. -#}
    {{ reporting_date(moment) }} >= {{ rates }}.valid_from
    and {{ reporting_date(moment) }} < {{ rates }}.valid_to
{%- endmacro %}
