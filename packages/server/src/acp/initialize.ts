import type { InitializeRequest, InitializeResponse, SessionCapabilities } from '@agentclientprotocol/sdk'
import { PROTOCOL_VERSION } from '@agentclientprotocol/sdk'

/** `fork` is in the unstable part of the schema. */
const sessionCapabilities: SessionCapabilities & { fork: object } = { list: {}, resume: {}, fork: {}, close: {}, delete: {} }

/** A client of a newer protocol is told ours, as the protocol has it: it then speaks that, or leaves. */
export const initializeResponse = (version: string): InitializeResponse => ({
  protocolVersion: PROTOCOL_VERSION,
  agentInfo: { name: 'qmtcode', title: 'qmtcode', version },
  authMethods: [],
  agentCapabilities: {
    loadSession: true,
    promptCapabilities: { image: true, audio: false, embeddedContext: true },
    mcpCapabilities: { http: false, sse: false },
    sessionCapabilities,
  },
})

export const takesForms = ({ clientCapabilities }: InitializeRequest): boolean => Boolean(clientCapabilities?.elicitation?.form)

export const takesNotices = ({ clientCapabilities }: InitializeRequest): boolean => Boolean(clientCapabilities?.session?.notices)
