with counted as (
    select audience, count(*) as people, sum(case when side = 'holdout' then 1 else 0 end) as held_out
    from {{ ref('audience_members') }}
    group by audience
),

declared as (
    {%- for one in var('audiences') %}
    select {{ loop.index }} as place, '{{ one.name }}' as audience, '{{ one.use }}' as audience_use
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    declared.place,
    declared.audience,
    declared.audience_use,
    coalesce(counted.people, 0) as people,
    coalesce(counted.held_out, 0) as held_out,
    {{ as_of() }} as built_at
from declared
left join counted on counted.audience = declared.audience
