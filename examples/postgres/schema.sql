-- Three tables of Sakila as they are, but for what the feed needs beside: see the comments.
CREATE TABLE customer (
    customer_id int PRIMARY KEY,
    store_id int,
    first_name text,
    last_name text,
    email text,
    address_id int,
    active int NOT NULL,
    create_date timestamp NOT NULL,
    last_update timestamp NOT NULL,
    -- Who is inactive gets no messages.
    suppressed boolean GENERATED ALWAYS AS (active = 0) STORED
);

CREATE TABLE rental (
    rental_id int PRIMARY KEY,
    rental_date timestamp NOT NULL,
    inventory_id int,
    customer_id int NOT NULL REFERENCES customer,
    return_date timestamp,
    staff_id int,
    last_update timestamp
);

CREATE TABLE payment (
    payment_id int PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customer,
    staff_id int,
    rental_id int REFERENCES rental,
    amount numeric NOT NULL,
    payment_date timestamp NOT NULL,
    last_update timestamp,
    -- Sakila's dates are of 2005, and first files hold events of the last 30 days.
    processed_at timestamptz NOT NULL DEFAULT now(),
    -- What a view over an append-only table must show: which transaction wrote the row.
    change_xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX ON payment (change_xid);

-- A payment as an event.
CREATE VIEW events AS
SELECT
    payment_id AS event_id,
    customer_id AS internal_customer_id,
    'payment' AS name,
    'event' AS type,
    json_build_object('amount', amount, 'rental', rental_id) AS properties,
    payment_date AS timestamp,
    processed_at,
    NULL::text[] AS sources,
    NULL::text[] AS source_uas,
    change_xid
FROM payment;
