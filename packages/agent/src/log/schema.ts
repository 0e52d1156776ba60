import type { DatabaseSync } from 'node:sqlite'
import { AppError } from '@qmtcode/protocol/errors'

/**
 * One entry a version; `pragma user_version` counts those that ran. Entries are added, never changed.
 * The columns behind `seq` of a session, and `prompts`, follow from the events and are written with them.
 */
const MIGRATIONS = [
  `create table sessions (
     n integer primary key autoincrement,
     id text not null unique,
     title text not null,
     agent text not null,
     model text,
     mode text not null,
     workspace text not null,
     private integer not null,
     unattended integer not null,
     allow text not null,
     author text not null,
     created_at real not null,
     updated_at real not null,
     seq integer not null,
     turn_seq integer,
     waiting integer not null default 0,
     interrupted text,
     closed integer not null default 0
   ) strict;
   create index sessions_in_turn on sessions (n) where turn_seq is not null;
   create table events (
     session integer not null,
     seq integer not null,
     at real not null,
     type text not null,
     body text not null,
     primary key (session, seq)
   ) strict;
   create index events_answers on events (session, json_extract(body, '$.id')) where type = 'permission.answered';
   create table prompts (
     session integer not null,
     prompt_id text not null,
     seq integer not null,
     position integer not null,
     queued integer not null,
     primary key (session, prompt_id)
   ) strict, without rowid;
   create index prompts_queued on prompts (session, seq) where queued = 1;`,
  `create table shares (
     session integer not null,
     peer_id text not null,
     node text not null,
     rights text not null,
     primary key (session, peer_id)
   ) strict, without rowid;`,
  // Of a fork: when what it holds began. Null: at created_at.
  `alter table sessions add column began_at real;`,
  // `bytes`: what a session holds. `charges`: whose bytes these are, where a peer brought them.
  `alter table sessions add column bytes integer not null default 0;
   create table charges (
     peer_id text not null,
     session integer not null,
     bytes integer not null,
     primary key (session, peer_id)
   ) strict, without rowid;
   update sessions set bytes = (select coalesce(sum(octet_length(body) + 100), 0) from events where session = n);
   insert into charges select json_extract(author, '$.peerId'), n, bytes from sessions
     where json_extract(author, '$.peerId') is not null and json_extract(author, '$.user') is null;`,
  // Of a fork: events 2 to base_seq are rows of session `base`.
  `alter table sessions add column base integer;
   alter table sessions add column base_seq integer;
   create index sessions_base on sessions (base, base_seq) where base is not null;`,
]

/** Brings the file to our version, in one transaction. Throws bad_config for a newer or a foreign one. */
export function migrate(db: DatabaseSync, file: string): void {
  const found = Number(db.prepare('pragma user_version').get()?.['user_version'])
  const newest = MIGRATIONS.length
  if (found > newest) {
    throw new AppError('bad_config', `${file} was written by a newer qmtcode (schema ${found}; this one knows ${newest})`, {
      hint: 'run the newer qmtcode, or point QMT_HOME at another directory',
    })
  }
  if (found === 0 && db.prepare('select 1 from sqlite_schema').get() !== undefined) {
    throw new AppError('bad_config', `${file} is an SQLite file, but not one of qmtcode`, {
      hint: 'move it away, or point QMT_HOME at another directory',
    })
  }
  db.exec('begin immediate')
  for (const migration of MIGRATIONS.slice(found)) db.exec(migration)
  db.exec(`pragma user_version = ${newest}`) // also where it is that: fails here, and not at the first prompt, on a file that cannot be written
  db.exec('commit')
}
