import assert from 'node:assert/strict'
import test from 'node:test'
import type { LanguageModelV4Message } from '@ai-sdk/provider'
import { isAppError } from '@qmtcode/protocol'
import type { Models } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import type { ScriptedLlm } from '@qmtcode/testing'
import { createLocalModels } from './local-models.ts'
import { createProviders } from './providers/providers.ts'

const says = (text: string): LanguageModelV4Message => ({ role: 'user', content: [{ type: 'text', text }] })
const answers = (text: string): LanguageModelV4Message => ({ role: 'assistant', content: [{ type: 'text', text }] })
const shows = (filename: string, mediaType: string): LanguageModelV4Message => ({
  role: 'user',
  content: [
    { type: 'text', text: 'what is this?' },
    { type: 'file', filename, mediaType, data: { type: 'data', data: 'AAAA' } },
  ],
})

const REFUSALS: [title: string, status: number, message: string][] = [
  ['in plain words', 400, 'this model takes no images'],
  ['as llama-server says it', 500, 'image input is not supported - hint: if this is unexpected, you may need to provide the mmproj'],
  ['as a router says it', 404, 'No endpoints found that support image input'],
  ['as vLLM says it', 400, 'm is not a multimodal model'],
  ['as a validator says it', 422, 'Input should be a valid string, expected a string for content type'],
  ['as an unknown variant', 400, 'unknown variant `image_url`, expected `text`'],
]

/** Refuses whatever holds a file. */
async function startBlind(status: number, message: string): Promise<ScriptedLlm> {
  return await startScriptedLlm((body) =>
    /image_url|file_data/.test(JSON.stringify(body.messages)) ? [{ fault: { status, message } }] : 'seen',
  )
}

const modelsOf = (llm: ScriptedLlm): Models => createLocalModels({ providers: createProviders({ fake: { baseUrl: llm.url } }) })

async function ask(models: Models, prompt: LanguageModelV4Message[]): Promise<string> {
  let text = ''
  for await (const part of models.stream({ model: 'fake/m', options: { prompt } })) if (part.type === 'text-delta') text += part.delta
  return text
}

for (const [title, status, message] of REFUSALS) {
  for (const [filename, mediaType] of [
    ['pic.png', 'image/png'],
    ['paper.pdf', 'application/pdf'],
  ] as const) {
    test(`a session survives a file that its model refuses: ${filename}, ${title}`, async () => {
      await using llm = await startBlind(status, message)
      const models = modelsOf(llm)
      const first = shows(filename, mediaType)
      await assert.rejects(
        ask(models, [first]),
        (error) => isAppError(error, 'unsupported') && error.message.includes(filename) && error.message.includes(message),
      )
      assert.equal(await ask(models, [first, answers('…'), says('again')]), 'seen')
      assert.match(JSON.stringify(llm.requests.at(-1)?.body.messages), new RegExp(`${filename} \\(${mediaType}\\) was attached here`))
      // Another process, which did not see the refusal.
      assert.equal(await ask(modelsOf(llm), [first, answers('…'), says('again')]), 'seen')
    })
  }
}

test('a failure that is about something else keeps the file', async () => {
  let calls = 0
  await using llm = await startScriptedLlm((body) => {
    calls += 1
    if (calls === 1) return [{ fault: { status: 429, message: 'too many images today' } }]
    return JSON.stringify(body.messages).includes('image_url') ? 'seen' : 'blind'
  })
  const models = modelsOf(llm)
  await assert.rejects(ask(models, [shows('pic.png', 'image/png')]), (error) => isAppError(error, 'rate_limited'))
  assert.equal(await ask(models, [shows('pic.png', 'image/png')]), 'seen')
})
