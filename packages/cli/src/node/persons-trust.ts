import { AppError } from '@qmtcode/protocol'
import type { Sessions, Trust } from '@qmtcode/protocol'
import type { Workspaces } from '../node-handle.ts'

type IsTool = () => Promise<boolean>

const personOnly =
  (isTool: IsTool) =>
  <Args extends unknown[], Result>(change: (...args: Args) => Promise<Result>) =>
  async (...args: Args): Promise<Result> => {
    if (await isTool()) throw refusal()
    return await change(...args)
  }

/** The same sessions, in which no tool gives rights to others or answers a question in the place of a person. */
export function personsSessions(sessions: Sessions, isTool: IsTool): Sessions {
  const byPerson = personOnly(isTool)
  return {
    ...sessions,
    answer: byPerson(async (...args: Parameters<Sessions['answer']>) => await sessions.answer(...args)),
    share: byPerson(async (...args: Parameters<Sessions['share']>) => await sessions.share(...args)),
  }
}

/** The same trust, which nothing changes that `isTool`: a command that a model wrote is not the person, though it says `--yes`. */
export function personsTrust(trust: Trust, isTool: IsTool): Trust {
  const byPerson = personOnly(isTool)
  return {
    list: async () => await trust.list(),
    invites: async () => await trust.invites(),
    readInvite: async (text) => await trust.readInvite(text),
    admit: byPerson(async (...args: Parameters<Trust['admit']>) => await trust.admit(...args)),
    setRole: byPerson(async (...args: Parameters<Trust['setRole']>) => await trust.setRole(...args)),
    use: byPerson(async (...args: Parameters<Trust['use']>) => await trust.use(...args)),
    ban: byPerson(async (...args: Parameters<Trust['ban']>) => await trust.ban(...args)),
    unban: byPerson(async (...args: Parameters<Trust['unban']>) => await trust.unban(...args)),
    forget: byPerson(async (...args: Parameters<Trust['forget']>) => await trust.forget(...args)),
    invite: byPerson(async (...args: Parameters<Trust['invite']>) => await trust.invite(...args)),
    revoke: byPerson(async (...args: Parameters<Trust['revoke']>) => await trust.revoke(...args)),
    join: byPerson(async (...args: Parameters<Trust['join']>) => await trust.join(...args)),
  }
}

/** The same workspaces: no tool says what programs may run in them. */
export function personsWorkspaces(workspaces: Workspaces, isTool: IsTool): Workspaces {
  return {
    look: async (directory) => await workspaces.look(directory),
    decide: personOnly(isTool)(async (...args: Parameters<Workspaces['decide']>) => await workspaces.decide(...args)),
  }
}

export const refusal = (): AppError =>
  new AppError('forbidden', 'rights are given by a person, and a tool of qmtcode started the process that asks for this', {
    hint: 'run the command yourself, in a terminal that qmtcode did not open',
  })
