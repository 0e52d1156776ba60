import { fileURLToPath } from 'node:url'
import type { ContentBlock } from '@agentclientprotocol/sdk'
import { AppError } from '@qmtcode/protocol'
import type { PromptContent } from '@qmtcode/protocol'

type Part = PromptContent[number]

/** A prompt of an editor as ours. What it embeds comes along; what it only links to is named, for the agent's tools to read. */
export function promptContentOf(blocks: readonly ContentBlock[], { isLocal }: { isLocal: boolean }): PromptContent {
  const parts = blocks.map((block) => partOf(block, isLocal))
  if (parts.every((part) => part.type === 'text' && part.text.trim() === '')) throw new AppError('bad_request', 'the prompt is empty')
  return parts
}

function partOf(block: ContentBlock, isLocal: boolean): Part {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text }
    case 'image':
      return { type: 'file', mediaType: block.mimeType, data: checkBase64(block.data, 'image') }
    case 'audio':
      throw new AppError('bad_request', 'this agent takes no audio')
    case 'resource_link':
      return { type: 'text', text: `@${isLocal ? nameOf(block.uri) : block.uri}` }
    case 'resource':
      return resourceOf(block.resource, isLocal)
  }
}

function resourceOf(resource: Extract<ContentBlock, { type: 'resource' }>['resource'], isLocal: boolean): Part {
  const name = isLocal ? nameOf(resource.uri) : resource.uri
  if ('text' in resource) return { type: 'text', text: `Content of @${name}:\n${resource.text}\n(end of @${name})` }
  const filename = name.split(/[/\\]/).at(-1)?.slice(-255)
  const mediaType = resource.mimeType ?? 'application/octet-stream'
  return { type: 'file', mediaType, data: checkBase64(resource.blob, name), ...(filename !== '' && { filename }) }
}

/** The path of a file of this machine; any other URI as it is. */
function nameOf(uri: string): string {
  try {
    return uri.startsWith('file:') ? fileURLToPath(uri.replace(/#.*$/, '')) : uri
  } catch {
    return uri
  }
}

function checkBase64(data: string, what: string): string {
  if (data !== '' && data.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(data)) return data
  throw new AppError('bad_request', `the data of ${what} is no base64`)
}

/** What somebody else wrote, for the editor to show. */
export function blocksOf(content: PromptContent): ContentBlock[] {
  return content.map((part) => {
    if (part.type === 'text') return { type: 'text', text: part.text }
    if (part.mediaType.startsWith('image/')) return { type: 'image', mimeType: part.mediaType, data: part.data }
    return { type: 'text', text: `[attached: ${part.filename ?? 'a file'}, ${part.mediaType}]` }
  })
}
