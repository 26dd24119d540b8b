select
    workspace_id,
    event_id,
    internal_customer_id,
    name,
    {{ one_form('name') }} as event_name,
    type,
    data,
    {{ named('timestamp') }} as happened_at,
    processed_at
from {{ ref('stg_events') }}
