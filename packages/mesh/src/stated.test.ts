import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  boardContract,
  diagnosisContract,
  modelsContract,
  peersContract,
  sessionRowSchema,
  sessionRowsContract,
  sessionsContract,
  trustContract,
  wireErrorSchema,
} from '@qmtcode/protocol'
import type { Contract } from '@qmtcode/protocol'
import { unboundedIn } from '@qmtcode/testing'
import type { z } from 'zod'
import { saidSchema } from './board/note-entry.ts'
import { bansContract } from './trust/ban-news.ts'
import { directoryContract } from './directory/contract.ts'
import { nodeRecordSchema } from './directory/record.ts'
import { probeContract } from './diagnose/probe-service.ts'
import { gossipContract } from './gossip/contract.ts'
import { helloSchema } from './handshake/hello.ts'
import { punchContract } from './nat/punch/contract.ts'
import { grantSchema } from './trust/grant.ts'

/** What crosses between nodes, or comes from there to a command. Whoever adds a contract adds it here. */
const CONTRACTS: readonly Contract[] = [
  bansContract,
  boardContract,
  diagnosisContract,
  directoryContract,
  gossipContract,
  modelsContract,
  peersContract,
  probeContract,
  punchContract,
  sessionRowsContract,
  sessionsContract,
  trustContract,
]
const STATEMENTS: Readonly<Record<string, z.core.$ZodType>> = {
  'a record': nodeRecordSchema,
  'a session row': sessionRowSchema,
  'a note': saidSchema,
  'a handshake': helloSchema,
  'a grant': grantSchema,
  'an error': wireErrorSchema,
}

/** Bytes, whose size their frames bound; and parts of model calls, which a schema of their own judges (models.test.ts). */
const JUDGED_ELSEWHERE = ['models.stream', 'models.resume', 'probe.receive', 'probe.send']

describe('what a peer states has an end: every number, text and list', () => {
  for (const { service, methods } of CONTRACTS) {
    for (const [name, method] of Object.entries(methods)) {
      const what = `${service}.${name}`
      if (JUDGED_ELSEWHERE.includes(what)) continue
      test(what, () => {
        assert.deepEqual(unboundedIn(method.input), [], 'its input')
        assert.deepEqual(unboundedIn(method.kind === 'unary' ? method.output : method.item), [], 'its output')
      })
    }
  }
  for (const [what, schema] of Object.entries(STATEMENTS)) test(what, () => assert.deepEqual(unboundedIn(schema), []))
})
