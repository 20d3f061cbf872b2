{% macro credibility(within, between, most) -%}
    {#- How many members the parent's mean counts for: the variance within groups over the variance
        between them (Bühlmann and Straub 1970), at most `most`, and that where nothing lies
        between them. -#}
    case
        when {{ between }} > 0 then least({{ within }} / {{ between }}, {{ most }})
        else {{ most }}
    end
{%- endmacro %}
