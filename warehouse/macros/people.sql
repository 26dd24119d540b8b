{#- The newest value of an attribute of people, one row a person; removed ones are left out. -#}
{% macro attribute(name) -%}
(
    select workspace_id, internal_customer_id, attribute_value, {{ named('timestamp') }} as changed_at
    from {{ ref('stg_attributes') }}
    where attribute_name = {{ literal(name) }} and attribute_value <> ''
)
{%- endmacro %}


{#- Texts with commas, for `in (…)`; nothing is in a list without any. -#}
{% macro listed(words) -%}
  {%- set found = [] -%}
  {%- for one in words -%}{%- do found.append(literal(one)) -%}{%- endfor -%}
  {{ return(found | join(', ') or 'null') }}
{%- endmacro %}


{#- A share, null of nothing. -#}
{% macro share(part, whole) %}{{ return('1.0 * ' ~ part ~ ' / nullif(' ~ whole ~ ', 0)') }}{% endmacro %}


{#- The columns that show attributes, by name. Names that say the same in Latin letters, or nothing,
    are told apart by their digest: the first keeps what it has. -#}
{% macro shown_columns(attributes) -%}
  {%- set columns = {} -%}
  {%- for one in attributes | unique(case_sensitive=true) -%}
    {%- set plain = 'attribute_' ~ modules.re.sub('[^a-z0-9]+', '_', one | lower) -%}
    {%- set taken = plain in columns.values() or not modules.re.search('[a-z0-9]', one | lower) -%}
    {%- do columns.update({one: plain.rstrip('_') ~ '_' ~ local_md5(one)[:8] if taken else plain}) -%}
  {%- endfor -%}
  {{ return(columns) }}
{%- endmacro %}


{#- A row of metrics that a person caused. v4 says nothing of machines: there, all count. -#}
{% macro opened_by_person() %}{{ return('not coalesce(prefetched, false) and not coalesce(proxied, false)') }}{% endmacro %}
{% macro clicked_by_person() %}{{ return('not coalesce(machine, false)') }}{% endmacro %}
