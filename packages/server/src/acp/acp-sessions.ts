import type { Sessions } from '@qmtcode/protocol'

/** What an editor needs of a host's sessions. */
export type AcpSessions = Pick<
  Sessions,
  'create' | 'agentModels' | 'list' | 'get' | 'prompt' | 'answer' | 'cancel' | 'configure' | 'fork' | 'history' | 'follow' | 'delete'
>
