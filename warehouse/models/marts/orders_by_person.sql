with brought as (
    select
        orders.workspace_id,
        orders.order_id,
        people.internal_customer_id,
        {{ as_utc('orders.ordered_at') }} as ordered_at,
        orders.amount,
        orders.currency,
        'orders' as found_in,
        row_number() over (
            partition by orders.workspace_id, orders.order_id
            order by
                case when people.customer_id = orders.customer_id then 0 else 1 end,
                people.internal_customer_id
        ) as best
    from {{ ref('orders') }} as orders
    inner join {{ ref('people_now') }} as people
        on people.workspace_id = orders.workspace_id
        and (
            people.customer_id = orders.customer_id
            or (nullif(orders.customer_id, '') is null and lower(people.email) = lower(trim(orders.email)))
        )
)

select workspace_id, order_id, internal_customer_id, ordered_at, amount, currency, found_in
from brought
where best = 1
{%- if var('orders_from_events') %}

union all

select
    workspace_id,
    event_id as order_id,
    internal_customer_id,
    happened_at as ordered_at,
    {{ json_number('data', 'total') }} as amount,
    cast(null as {{ sql_type('STRING') }}) as currency,
    'events' as found_in
from {{ ref('events_named') }}
where event_name in ({{ listed(var('order_events')) }})
{%- endif %}
