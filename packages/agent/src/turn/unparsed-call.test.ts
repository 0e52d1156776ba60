import assert from 'node:assert/strict'
import test from 'node:test'
import { unparsedCall } from './unparsed-call.ts'

const TOOLS = ['list_files', 'read_file']
const JSON_CALL = '{"name": "list_files", "arguments": {}}'

const CALLS = [
  `<tool_call>\n${JSON_CALL}\n</tool_call>`,
  `<tool_call>${JSON_CALL}`,
  `I will look at the files.\n\n<tool_call>\n${JSON_CALL}\n</tool_call>`,
  `<tool_call>${JSON_CALL}</tool_call>\n<tool_call>${JSON_CALL}</tool_call>`,
  '<tool_call>\n<function=list_files>\n</function>\n</tool_call>',
  '<tool_call>list_files\n<arg_key>path</arg_key>\n<arg_value>.</arg_value>\n</tool_call>',
  '[TOOL_CALLS]list_files{}',
  '[TOOL_CALLS] [{"name": "list_files", "arguments": {}}]',
  '[TOOL_CALLS]list_files[ARGS]{"path":"."}',
  '<function=list_files>{}</function>',
  '<function=list_files>\n<parameter=path>\n.\n</parameter>\n</function>',
  '<|python_tag|>{"name": "list_files", "parameters": {}}',
  '<function_calls>\n<invoke name="list_files">\n</invoke>\n</function_calls>',
  '<tool_use>\n<name>list_files</name>\n<arguments>{}</arguments>\n</tool_use>',
  '<|channel|>commentary to=functions.list_files <|constrain|>json<|message|>{}',
  '<|tool_calls_section_begin|><|tool_call_begin|>functions.list_files:0<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>',
  '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>list_files\n{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
  JSON_CALL,
  `\`\`\`json\n${JSON_CALL}\n\`\`\``,
  `\`\`\`\n${JSON_CALL}\n\`\`\``,
  `[${JSON_CALL}]`,
  '{"type": "function", "function": {"name": "list_files", "arguments": "{}"}}',
  '{"name": "read_file", "parameters": {"path": "a"}}',
]
for (const answer of CALLS) {
  test(`a call that no server parsed is seen: ${JSON.stringify(answer).slice(0, 70)}`, () =>
    assert.ok(TOOLS.includes(unparsedCall(answer, TOOLS) ?? '')))
}

const ANSWERS = [
  'The model writes <tool_call>{"name":"list_files","arguments":{}}</tool_call> to call a tool.',
  `Qwen writes:\n\n<tool_call>\n${JSON_CALL}\n</tool_call>\n\nand the server parses it.`,
  `An example:\n\n\`\`\`\n<tool_call>\n${JSON_CALL}\n</tool_call>\n\`\`\``,
  `An example:\n\n\`\`\`json\n${JSON_CALL}\n\`\`\``,
  `\`<tool_call>\` begins a call.`,
  '{"name": "other_tool", "arguments": {}}',
  '{"name": "list_files"}',
  '{"name": "qmt", "version": "1"}',
  '<tool_call> is the tag of Hermes.',
  'list_files',
  '[TOOL_CALLS] is a token of Mistral',
  '',
]
for (const answer of ANSWERS) {
  test(`an answer is an answer: ${JSON.stringify(answer).slice(0, 70)}`, () => assert.equal(unparsedCall(answer, TOOLS), undefined))
}
