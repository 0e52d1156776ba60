import { isAppError, toAppError } from '@qmtcode/protocol'
import type { Sessions } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'

/** The node of this QMT_HOME for longer than a process may hold it: where that ends, this process takes its place, or reaches the one that did. */
export interface LastingNode extends AsyncDisposable {
  /** What failed because the node was gone is done again with the next one: it must bear to be done twice. */
  use<Value>(work: (node: NodeHandle) => Promise<Value>): Promise<Value>
  /** A stream that broke stays broken; the next one is the next node's. */
  stream<Item>(work: (node: NodeHandle) => AsyncIterable<Item>): AsyncIterable<Item>
}

/** `first` stays its owner's; those that `open` gives are closed in the end. */
export function createLastingNode(first: NodeHandle, open: () => Promise<NodeHandle>): LastingNode {
  const opened = new Set<NodeHandle>()
  let current = Promise.resolve(first)

  const openNext = async (): Promise<NodeHandle> => {
    const next = await open()
    opened.add(next)
    return next
  }
  /** Whether there is another node than `node` now. */
  const isReplaced = async (node: NodeHandle, error: unknown): Promise<boolean> => {
    if (!isAppError(error, 'peer_unreachable', 'link_lost') || (await answers(node))) return false
    const seen = current
    if ((await seen) === node && current === seen) {
      current = openNext().catch((failure: unknown) => {
        current = Promise.resolve(node) // tried again with the next call
        throw failure
      })
    }
    return (await current) !== node
  }
  return {
    use: async (work) => {
      const node = await current
      try {
        return await work(node)
      } catch (error) {
        if (!(await isReplaced(node, error))) throw error
        return await work(await current)
      }
    },
    stream: async function* (work) {
      const node = await current
      let isBegun = false
      try {
        for await (const item of work(node)) {
          isBegun = true
          yield item
        }
        return
      } catch (error) {
        if (!(await isReplaced(node, error)) || isBegun) throw error
      }
      yield* work(await current)
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...opened].map((node) => node.close()))
    },
  }
}

/** A call may fail for a peer that is away, too: a node that tells its status is there. */
async function answers(node: NodeHandle): Promise<boolean> {
  try {
    await node.status()
    return true
  } catch (error) {
    const { code } = toAppError(error)
    return code !== 'peer_unreachable' && code !== 'link_lost'
  }
}

type LastingSessions = Pick<
  Sessions,
  'create' | 'agentModels' | 'list' | 'get' | 'prompt' | 'answer' | 'cancel' | 'configure' | 'fork' | 'history' | 'follow' | 'delete'
>

/** Sessions that `of` finds on whichever node it is. */
export function lastingSessions(lasting: LastingNode, of: (node: NodeHandle) => Sessions): LastingSessions {
  const on = <Value>(work: (sessions: Sessions) => Promise<Value>): Promise<Value> => lasting.use((node) => work(of(node)))
  return {
    create: (init) => on((sessions) => sessions.create(init)), // twice: an empty one more
    agentModels: (query) => on((sessions) => sessions.agentModels(query)),
    list: (query) => on((sessions) => sessions.list(query)),
    get: (id) => on((sessions) => sessions.get(id)),
    prompt: (id, prompt) => on((sessions) => sessions.prompt(id, prompt)),
    answer: (id, answer) => on((sessions) => sessions.answer(id, answer)),
    cancel: (id, promptId) => on((sessions) => sessions.cancel(id, promptId)),
    configure: (id, change) => on((sessions) => sessions.configure(id, change)),
    fork: (id, options) => on((sessions) => sessions.fork(id, options)), // twice: one more
    history: (id, range) => on((sessions) => sessions.history(id, range)),
    follow: (id, options) => lasting.stream((node) => of(node).follow(id, options)),
    delete: (id) => on((sessions) => sessions.delete(id)),
  }
}
