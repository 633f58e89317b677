//! A backup of a test's database, and what its restoration looks like to processes that stay connected.

use sqlx::{AssertSqlSafe, Executor};

use crate::Database;

/// Copies every table.
const BACK_UP: &str = "
    create schema backup;
    do $$
    declare
        name text;
    begin
        for name in select tablename from pg_tables where schemaname = 'public'
                       and not (select relispartition from pg_class
                                 where oid = ('public.' || tablename)::regclass)
        loop
            execute format('create table backup.%1$I as table public.%1$I', name);
        end loop;
    end
    $$;";

impl Database {
    /// Copies every table, for one restoration.
    pub async fn back_up(&self) {
        self.pool.execute(BACK_UP).await.unwrap();
        // What follows is the future that the restoration loses.
        let lost = "create view backup.lost as
                    select * from public.events
                     where position > (select position from backup.log_head)";
        self.pool.execute(lost).await.unwrap();
    }

    /// Sets the tables whose names match this regular expression back to the copy and then executes `afterwards`, which finds the
    /// events that are lost in a temporary table `lost`: all in one transaction.
    pub async fn restore(&self, tables: &str, afterwards: &str) {
        let restore = format!(
            "
            begin;
            set local session_replication_role = replica;
            create temporary table lost on commit drop as table backup.lost;
            do $$
            declare
                name text;
                columns text;
            begin
                for name in select tablename from pg_tables where schemaname = 'backup' and tablename ~ '^({tables})$'
                loop
                    select string_agg(quote_ident(attname), ', ')
                      into columns
                      from pg_attribute
                     where attrelid = ('public.' || name)::regclass
                       and attnum > 0
                       and attgenerated = ''
                       and not attisdropped;
                    execute format('delete from public.%I', name);
                    execute format('insert into public.%1$I (%2$s) select %2$s from backup.%1$I', name, columns);
                end loop;
            end
            $$;
            {afterwards};
            commit;"
        );
        let restored = sqlx::raw_sql(AssertSqlSafe(restore))
            .execute(&self.pool)
            .await;
        restored.unwrap();
    }
}
