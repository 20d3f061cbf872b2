{% macro shrunk_mean(total, number, parent_mean, strength) -%}
    {#- Mean of a group that leans on its parent's as if that were `strength` members of it:
        (total + M parent) / (number + M); the parent's mean where both are nothing. -#}
    case
        when {{ number }} + {{ strength }} > 0
            then ({{ total }} + {{ strength }} * {{ parent_mean }}) / ({{ number }} + {{ strength }})
        else {{ parent_mean }}
    end
{%- endmacro %}
