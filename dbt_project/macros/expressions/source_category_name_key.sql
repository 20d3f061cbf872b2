{% macro source_category_name_key(source) -%}
    {#- The third try, for a referrer's host as trackers pass it on: its name without the ending, as
        in google of www.google.co.uk; null when the host has more to it, as in mail.google.com. -#}
    {%- set host = source_category_host_key(source) -%}
    case
        when
            (
                split_part({{ host }}, '.', 2) in ('com', 'co')
                or length(split_part({{ host }}, '.', 2)) = 2
            )
            and length(split_part({{ host }}, '.', 3)) in (0, 2)
            and split_part({{ host }}, '.', 4) = ''
            then split_part({{ host }}, '.', 1)
    end
{%- endmacro %}
