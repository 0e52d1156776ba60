import type { DatabaseSync } from 'node:sqlite'
import type { Effect } from './types.ts'

/** What an event changes in `sessions` and `prompts`, in the event's own transaction. */
export function createEffects(db: DatabaseSync): (session: number, seq: number, effect: Effect) => void {
  const accept = db.prepare('insert into prompts (session, prompt_id, seq, position, queued) values (?, ?, ?, ?, 1)')
  const goOn = db.prepare(`update sessions set interrupted = null, title = iif(title = '', ?, title) where n = ?`)
  const dequeue = db.prepare('update prompts set queued = 0 where session = ? and prompt_id = ?')
  const giveUp = db.prepare('update sessions set interrupted = null where n = ? and interrupted = ?')
  const begin = db.prepare('update sessions set turn_seq = ?, waiting = 0, interrupted = null where n = ?')
  const end = db.prepare('update sessions set turn_seq = null, waiting = 0, interrupted = ? where n = ?')
  const wait = db.prepare('update sessions set waiting = max(0, waiting + ?) where n = ?')
  const configure = db.prepare(
    'update sessions set title = coalesce(?, title), model = coalesce(?, model), mode = coalesce(?, mode) where n = ?',
  )
  const share = db.prepare('insert or replace into shares (session, peer_id, node, rights) values (?, ?, ?, ?)')
  const unshare = db.prepare('delete from shares where session = ? and peer_id = ?')
  const close = db.prepare('update sessions set closed = 1 where n = ?')
  return (session, seq, effect) => {
    switch (effect.kind) {
      case 'accepted':
        accept.run(session, effect.promptId, seq, effect.position)
        goOn.run(effect.title, session)
        return
      case 'withdrawn':
        dequeue.run(session, effect.promptId)
        giveUp.run(session, effect.promptId)
        return
      case 'started':
        dequeue.run(session, effect.promptId)
        begin.run(seq, session)
        return
      case 'ended':
        end.run(effect.interrupted ? effect.promptId : null, session)
        return
      case 'waiting':
        wait.run(effect.change, session)
        return
      case 'configured':
        configure.run(effect.title ?? null, effect.model ?? null, effect.mode ?? null, session)
        return
      case 'shared':
        share.run(session, effect.share.peerId, effect.share.node, JSON.stringify(effect.share.rights))
        return
      case 'unshared':
        unshare.run(session, effect.peerId)
        return
      case 'closed':
        close.run(session)
        return
    }
  }
}
