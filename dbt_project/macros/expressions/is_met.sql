{% macro is_met(compared, operator, threshold) -%}
    {#- True when a property's text meets its rule; never when the event lacks the property. Numbers
        are compared as numbers, and a text that is no finite number meets no numeric rule. `matches`
        searches a pattern in the lower-cased text; what another operator compares with need be none,
        and an engine reads a pattern that is always the same also where it is never asked for. The
        threshold of is_business_email is the list of free providers, between bars. -#}
    case {{ operator }}
        when '>=' then {{ finite_number(compared) }} >= {{ finite_number(threshold) }}
        when '>' then {{ finite_number(compared) }} > {{ finite_number(threshold) }}
        when '<=' then {{ finite_number(compared) }} <= {{ finite_number(threshold) }}
        when '<' then {{ finite_number(compared) }} < {{ finite_number(threshold) }}
        when '=' then coalesce(
            {{ finite_number(compared) }} = {{ finite_number(threshold) }},
            {{ compared }} = {{ threshold }}
        )
        when '!=' then coalesce(
            {{ finite_number(compared) }} <> {{ finite_number(threshold) }},
            {{ compared }} <> {{ threshold }}
        )
        when 'contains' then position({{ threshold }} in {{ compared }}) > 0
        when 'matches'
            then {{ matches_pattern(
                'lower(' ~ compared ~ ')',
                'case ' ~ operator ~ " when 'matches' then " ~ threshold ~ ' end'
            ) }}
        when 'is_business_email'
            then {{ matches_pattern(
                'lower(trim(' ~ compared ~ '))', "'^[^@ ]+@[^@ _%|]+[.][^@ ._%|]{2,}$'"
            ) }}
            and {{ threshold }} not like
            '%|' || split_part(lower(trim({{ compared }})), '@', 2) || '|%'
        else false
    end
{%- endmacro %}
