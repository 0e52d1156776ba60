/** The calls without the network: for the socket of this machine, at a tenth of the libraries. */
export { createRpcClient } from './rpc/client.ts'
export { createRpcServer } from './rpc/server.ts'
export { socketStream } from './rpc/streams/socket.ts'
export type { ByteStream, RpcClient, RpcPeer, RpcServer, RpcStats, ServedContract } from './rpc/types.ts'
