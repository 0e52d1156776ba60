import { resolve } from 'node:path'
import { AppError } from '@qmtcode/protocol'
import { jsonLine, printableLine } from '../output/printable.ts'
import { requirePerson, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { TrustCommand } from './invocation.ts'
import { canAsk } from './run-questions.ts'
import { broughtLines, isAnsweredYes } from './workspace-question.ts'

/** Shows what a workspace brings for programs and agents to obey, and trusts it as it is, if the person says so. */
export async function trust(context: CommandContext, { directory, json, yes }: TrustCommand): Promise<number> {
  const { components, out } = context
  return await withNode(context, {}, async ({ workspaces }) => {
    const look = await workspaces.look(resolve(components.cwd, directory ?? '.'))
    const left = look.files.filter(({ state }) => state !== 'trusted')
    if (yes) requirePerson(context, { yes, what: 'trust' })
    if (yes && left.length > 0) await workspaces.decide(look.root, left, 'trust')
    if (json) {
      const files = look.files.map(({ path, by, runs, state }) => ({ path, by, runs, state: yes ? 'trusted' : state }))
      out.line(jsonLine({ workspace: look.root, files }, 2))
      return 0
    }
    const root = printableLine(look.root)
    if (look.files.length === 0) out.say(`${root} brings nothing that programs or agents obey`)
    else for (const line of [`${root} brings:`, ...broughtLines(look.files)]) out.line(line)
    if (left.length === 0 || yes) {
      if (look.files.length > 0) out.say('all of it is trusted, as it is now')
      return 0
    }
    if (!canAsk(context)) throw unasked()
    const isTrusted = await isAnsweredYes(context)
    await workspaces.decide(look.root, left, isTrusted ? 'trust' : 'decline')
    out.say(isTrusted ? 'all of it is trusted, as it is now' : 'not trusted')
    return 0
  })
}

const unasked = (): AppError =>
  new AppError('forbidden', 'not trusted: nobody sits at a terminal to be asked', { hint: 'in a script: qmtcode trust --yes' })
