import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { Sessions } from '@qmtcode/protocol'
import { serveAcp } from '@qmtcode/server'
import type { AcpComponents, AcpHost } from '@qmtcode/server'
import { memoryStreams, openEditor } from '../../packages/server/src/acp/editor-kit.ts'
import type { Editor, EditorOptions } from '../../packages/server/src/acp/editor-kit.ts'

export interface ServedEditorOptions extends EditorOptions {
  /** Default: `local`. */
  host?: AcpHost
  /** Default: none. */
  models?: AcpComponents['models']
}

/** An editor at the sessions of the product, over ACP in memory; gone together. */
export async function openServedEditor(sessions: Sessions, options: ServedEditorOptions): Promise<Editor> {
  const { host = 'local', models = () => Promise.resolve([]) } = options
  const { agent, editor: stream } = memoryStreams()
  const components = { sessions, agents: () => Promise.resolve([]), models, log: silentLogger, clock: systemClock }
  const server = serveAcp(components, { stream: agent, host, version: '1.2.3' })
  const editor = await openEditor(stream, options)
  return {
    ...editor,
    [Symbol.asyncDispose]: async () => {
      await editor[Symbol.asyncDispose]()
      await server.stop()
    },
  }
}
