{%- set days = var('lift_days') -%}
with ordered as (
    select
        members.audience,
        members.workspace_id,
        members.internal_customer_id,
        members.side,
        max(case when members.since > {{ days_before(as_of(), days) }} then 1 else 0 end) as waiting,
        max(case when orders.order_id is not null then 1 else 0 end) as ordered
    from {{ ref('exported_members') }} as members
    -- Of who is gone, nothing tells what they ordered.
    inner join {{ ref('people_now') }} as people
        on people.workspace_id = members.workspace_id
        and people.internal_customer_id = members.internal_customer_id
    left join {{ ref('orders_by_person') }} as orders
        on orders.workspace_id = members.workspace_id
        and orders.internal_customer_id = members.internal_customer_id
        and orders.ordered_at > members.since
        and {{ days_before('orders.ordered_at', days) }} <= members.since
    group by members.audience, members.workspace_id, members.internal_customer_id, members.side
),

counted as (
    select
        audience,
        workspace_id,
        sum(case when side = 'reached' and waiting = 0 then 1 else 0 end) as reached,
        sum(case when side = 'reached' and waiting = 0 then ordered else 0 end) as reached_ordered,
        sum(case when side = 'holdout' and waiting = 0 then 1 else 0 end) as held_out,
        sum(case when side = 'holdout' and waiting = 0 then ordered else 0 end) as held_out_ordered,
        sum(waiting) as waiting
    from ordered
    group by audience, workspace_id
),

rated as (
    select
        counted.*,
        {{ share('reached_ordered', 'reached') }} as reached_rate,
        {{ share('held_out_ordered', 'held_out') }} as held_out_rate
    from counted
)

select
    audience,
    workspace_id,
    reached,
    reached_ordered,
    reached_rate,
    held_out,
    held_out_ordered,
    held_out_rate,
    waiting,
    reached_rate - held_out_rate as lift,
    {{ share('(reached_rate - held_out_rate)', 'held_out_rate') }} as relative_lift,
    1.96 * sqrt(
        reached_rate * (1 - reached_rate) / nullif(reached, 0)
        + held_out_rate * (1 - held_out_rate) / nullif(held_out, 0)
    ) as lift_margin
from rated
