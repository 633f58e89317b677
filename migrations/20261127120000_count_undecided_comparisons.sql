-- Bounds how often a generation is compared in vain.

alter table generations add column undecided_comparisons integer not null default 0;
comment on column generations.undecided_comparisons is 'How many comparisons with the serving generation left rows undecided, because they were parked or kept changing, since the build was begun or resumed.';
