{% macro is_met(compared, operator, threshold) -%}
    {#- True when a property's text meets its rule; numbers are compared as numbers, and a text that
        is no number meets no numeric rule. -#}
    case {{ operator }}
        when '>=' then try_cast({{ compared }} as double) >= try_cast({{ threshold }} as double)
        when '>' then try_cast({{ compared }} as double) > try_cast({{ threshold }} as double)
        when '<=' then try_cast({{ compared }} as double) <= try_cast({{ threshold }} as double)
        when '<' then try_cast({{ compared }} as double) < try_cast({{ threshold }} as double)
        when '=' then coalesce(
            try_cast({{ compared }} as double) = try_cast({{ threshold }} as double),
            {{ compared }} = {{ threshold }}
        )
        when '!=' then coalesce(
            try_cast({{ compared }} as double) <> try_cast({{ threshold }} as double),
            {{ compared }} <> {{ threshold }}
        )
        when 'contains' then {{ compared }} like '%' || {{ threshold }} || '%'
    end
{%- endmacro %}
