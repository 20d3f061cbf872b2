{% macro column_or_tag(column, url, is_told_by_tags) -%}
    {#- What an event says of where its visit came from: its own column, or the tag utm_<column> of the
        page's address where the tags are to tell it. -#}
    case
        when {{ is_told_by_tags }}
            then coalesce({{ url_text(url_parameter(url, 'utm_' ~ column)) }}, {{ column }})
        else {{ column }}
    end
{%- endmacro %}
