import { createKnowledgeParts } from './parts/knowledge-parts.ts'
import { createLinkParts } from './parts/link-parts.ts'
import type { KnowledgeParts, LaterParts, LinkParts, PartsComponents, TrustParts } from './parts/parts.ts'
import { createTrustParts } from './parts/trust-parts.ts'
import { createTrustWatch } from './parts/trust-watch.ts'

export interface MeshParts extends TrustParts, LinkParts, KnowledgeParts {}

/** Makes the parts of a node and ties them: connections → arrivals → handshake → links → directory; trust → everything. Nothing runs yet. */
export async function createMeshParts(
  components: Omit<PartsComponents, 'options'>,
  options: PartsComponents['options'],
): Promise<MeshParts> {
  const given: PartsComponents = { ...components, options }
  const later: LaterParts = { links: () => linking, knowledge: () => knowing }
  const trusting = createTrustParts(given, later)
  const linking = await createLinkParts(given, trusting, later)
  const knowing = createKnowledgeParts(given, trusting, linking)
  const parts: MeshParts = { ...trusting, ...linking, ...knowing }
  trusting.trust.onChange(createTrustWatch({ log: given.log, ...parts }))
  return parts
}
