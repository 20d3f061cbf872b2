{% macro restatement() -%}
    {#- Number of the writing that is made of a version: 0 for the original, which is never changed;
        1 and up for restatements, each with its reason. -#}
    {%- if var('restatement') and not var('restatement_reason') -%}
        {{ exceptions.raise_compiler_error(
            'restatement is ' ~ var('restatement') ~ ', but var restatement_reason is empty: '
            ~ 'a version is restated for a reason that is kept with it.') }}
    {%- endif -%}
    {{ var('restatement') }}
{%- endmacro %}
