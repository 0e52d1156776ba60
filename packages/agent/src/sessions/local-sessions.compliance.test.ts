import { sessionsCompliance } from '@qmtcode/testing'
import { startSessions } from './sessions-kit.ts'

sessionsCompliance('local', async (runTurn) => {
  const kit = await startSessions(runTurn)
  return {
    as: async (caller) => kit.as(caller),
    workspace: kit.workspace,
    restart: kit.restart,
    [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose](),
  }
})
