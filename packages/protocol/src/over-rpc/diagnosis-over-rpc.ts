import type { ContractClient, ContractHandlers } from '../contract.ts'
import type { Diagnosis, diagnosisContract } from '../diagnosis.ts'

export const diagnosisOverRpc = (client: ContractClient<typeof diagnosisContract>): Diagnosis => ({
  self: async () => await client.self({}),
  peer: async (target, { brief, signal } = {}) => await client.peer({ target, brief }, { signal }),
})

export const diagnosisHandlers = (diagnosis: Diagnosis): ContractHandlers<typeof diagnosisContract> => ({
  self: async () => await diagnosis.self(),
  peer: async ({ target, brief }, { signal }) => await diagnosis.peer(target, { brief, signal }),
})
