import { z } from 'zod'
import { replyText } from './question-text.ts'
import { defineTool } from './types.ts'

const MAX_CHOICES = 20

const choiceSchema = z.object({
  label: z.string().trim().min(1).max(200).describe('Short; it is what comes back'),
  description: z.string().max(1_000).optional().describe('What choosing it means'),
})

const inputSchema = z
  .object({
    question: z.string().trim().min(1).max(4_000).describe('The question, with what is needed to decide'),
    choices: z.array(choiceSchema).max(MAX_CHOICES).optional().describe('What can be chosen; leave it out for an open question'),
    multiple: z.boolean().optional().describe('More than one may be chosen; default: no'),
    free_text: z.boolean().optional().describe('An answer in own words is taken too; default: yes'),
  })
  .refine(
    ({ choices = [], free_text: freeText = true }) => choices.length > 0 || freeText,
    'without choices only a text answers: free_text must not be false',
  )
  .refine(({ choices = [] }) => new Set(choices.map(({ label }) => label)).size === choices.length, 'two choices have the same label')

export const questionTool = defineTool({
  name: 'question',
  description:
    'Ask the user, and wait for the answer. For a decision that is theirs and that files cannot tell: which of several ways, a name, a missing fact. Not for permissions: call the tool, and they are asked.',
  inputSchema,
  permission: 'read',
  asksUser: true,
  summary: ({ question }) => question,
  async execute({ question, choices = [], multiple = false, free_text: freeText = true }, { ask }) {
    const { reply, by, reason } = await ask({ text: question, choices, multiple: multiple && choices.length > 1, freeText })
    if (reply) return { output: replyText(reply, by) }
    return {
      output: `no answer: ${reason ?? 'nobody answered'}. Go on without it: decide as is safest, and say what you assumed.`,
      isError: true,
    }
  },
})
