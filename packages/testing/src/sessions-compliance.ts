import { test } from 'node:test'
import { askingQuestions, waiting } from './sessions-scenarios-asking.ts'
import { answering, following } from './sessions-scenarios-following.ts'
import { ending, restarting } from './sessions-scenarios-lifetime.ts'
import { creating, prompting } from './sessions-scenarios-prompting.ts'
import { beingPresent, forking, readingFiles } from './sessions-scenarios-together.ts'
import { createTurnScript } from './sessions-script.ts'
import { createStage } from './sessions-stage.ts'
import type { SessionsSetup, Stage } from './sessions-stage.ts'

/** What every Sessions does: here, over a wire, over HTTP. */
export function sessionsCompliance(name: string, setup: SessionsSetup): void {
  const scenario = (title: string, run: (stage: Stage) => Promise<void>): void => {
    // oxlint-disable-next-line typescript/no-floating-promises -- node:test owns it
    test(`sessions (${name}): ${title}`, { timeout: 60_000 }, async () => {
      const script = createTurnScript()
      await using fixture = await setup(script.runTurn)
      await run(await createStage(fixture, script))
    })
  }
  creating(scenario)
  prompting(scenario)
  following(scenario)
  answering(scenario)
  askingQuestions(scenario)
  waiting(scenario)
  ending(scenario)
  restarting(scenario)
  forking(scenario)
  readingFiles(scenario)
  beingPresent(scenario)
}
