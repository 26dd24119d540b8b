{#- An audience from rows of workspace_id, internal_customer_id, since, score and reason: one row a
    person, the latest reason, and only people who are there now. -#}
{% macro audience(rows) -%}
select
    found.workspace_id,
    found.internal_customer_id,
    found.since,
    cast(found.score as {{ sql_type('NUMBER') }}) as score,
    found.reason
from (
    select
        every.*,
        row_number() over (
            partition by every.workspace_id, every.internal_customer_id
            order by every.since desc, every.reason
        ) as latest
    from {{ rows }} as every
) as found
inner join {{ ref('people_now') }} as people
    on people.workspace_id = found.workspace_id
    and people.internal_customer_id = found.internal_customer_id
where found.latest = 1
{%- endmacro %}


{#- Whether a time lies in the last days before now, and not after it. -#}
{% macro within(time, days) -%}
  {{ return(time ~ ' > ' ~ days_before(as_of(), days) ~ ' and ' ~ time ~ ' <= ' ~ as_of()) }}
{%- endmacro %}
