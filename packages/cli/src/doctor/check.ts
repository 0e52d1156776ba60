/** The page's four symptoms, and this node itself. */
export type Area = 'This node' | 'Connection' | 'Speed' | 'Discovery' | 'Models and sessions'
export type Verdict = 'ok' | 'warning' | 'problem'

/** One thing that was looked at. */
export interface Check {
  area: Area
  /** Stable, for scripts. */
  id: string
  status: Verdict
  /** What was found, and what is wrong with it. */
  text: string
  fixes: Fix[]
}

/** What mends it. */
export interface Fix {
  /** `here`: this machine. Else the name of the node whose person does it. */
  on: 'here' | (string & {})
  /** A command line, a line of the configuration, or what to do. */
  kind: 'command' | 'config' | 'advice'
  text: string
}

export const ok = (area: Area, id: string, text: string, fixes: Fix[] = []): Check => ({ area, id, status: 'ok', text, fixes })
export const warning = (area: Area, id: string, text: string, fixes: Fix[] = []): Check => ({ area, id, status: 'warning', text, fixes })
export const problem = (area: Area, id: string, text: string, fixes: Fix[] = []): Check => ({ area, id, status: 'problem', text, fixes })

export const command = (text: string, on: Fix['on'] = 'here'): Fix => ({ on, kind: 'command', text })
export const config = (text: string, on: Fix['on'] = 'here'): Fix => ({ on, kind: 'config', text })
export const advice = (text: string, on: Fix['on'] = 'here'): Fix => ({ on, kind: 'advice', text })

export function worst(checks: readonly Check[]): Verdict {
  if (checks.some(({ status }) => status === 'problem')) return 'problem'
  return checks.some(({ status }) => status === 'warning') ? 'warning' : 'ok'
}
