{% macro plain_amount(text) -%}
    {#- Money that a text writes as a plain number; null when it is none. An underscore between digits,
        which a cast may take for a separator of thousands, is not guessed at, as in landing. -#}
    case when position('_' in {{ text }}) = 0 then try_cast({{ text }} as decimal(18, 4)) end
{%- endmacro %}
