import type { CommonOptions } from '../command.ts'
import { connectOptionsOf, machineFormat } from '../command.ts'
import { parseServerVersion } from '../doctor/server.ts'
import { writeDocument } from '../document.ts'
import type { ExitCode } from '../exit-codes.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Shell } from '../shell.ts'
import { CLIENT_VERSION } from '../version.ts'

export interface VersionOptions extends CommonOptions {
  /** Do not ask a server. */
  readonly client?: boolean
}

/** `orrery version`: of this program, and of the server. */
export async function version(shell: Shell, options: VersionOptions): Promise<ExitCode> {
  const format = machineFormat(options)
  const client = { version: CLIENT_VERSION, node: process.version }
  // What is known without a server is said even when none answers.
  if (format === undefined) shell.out.write(`client  ${client.version} (Node ${client.node})\n`)
  const server = options.client === true ? undefined : await serverVersion(shell, options)
  if (format !== undefined) writeDocument(shell.out, format, { kind: 'Version', client, server })
  else if (server !== undefined)
    shell.out.write(`server  ${server.version}${server.hub === undefined ? '' : ' (Orrery hub)'} at ${server.url}\n`)
  return exitCodes.done
}

async function serverVersion(shell: Shell, options: VersionOptions) {
  await using connection = shell.connect(connectOptionsOf(options))
  const { gitVersion, hub } = parseServerVersion(await connection.client.raw('/version', { signal: shell.signal }))
  return { version: gitVersion, hub, url: connection.server?.url ?? 'this process' }
}
