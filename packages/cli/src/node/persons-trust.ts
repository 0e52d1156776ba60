import { AppError } from '@qmtcode/protocol'
import type { Trust } from '@qmtcode/protocol'

/** The same trust, which nothing changes that `isTool`: a command that a model wrote is not the person, though it says `--yes`. */
export function personsTrust(trust: Trust, isTool: () => Promise<boolean>): Trust {
  const byPerson =
    <Args extends unknown[], Result>(change: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (await isTool()) throw refusal()
      return await change(...args)
    }
  return {
    list: async () => await trust.list(),
    invites: async () => await trust.invites(),
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

export const refusal = (): AppError =>
  new AppError('forbidden', 'this changes whom the node trusts, and a tool of qmtcode started the process that asks for it', {
    hint: 'run the command yourself, in a terminal that qmtcode did not open',
  })
