import type { CommonOptions } from '../command.ts'
import { connectOptionsOf, machineFormat } from '../command.ts'
import type { Connection } from '../connection.ts'
import { checkCertificates } from '../doctor/certificates.ts'
import type { Examined, Finding } from '../doctor/check.ts'
import { fail, ok } from '../doctor/check.ts'
import { checkDataDirectory, checkKubeconfigs, checkNode, localDataDirectory } from '../doctor/local.ts'
import {
  checkClock,
  checkDefinitions,
  checkManager,
  checkObjects,
  checkPermissions,
  checkVersions,
  refused,
} from '../doctor/server.ts'
import { writeDocument } from '../document.ts'
import type { ExitCode } from '../exit-codes.ts'
import { exitCodes } from '../exit-codes.ts'
import { problemOf } from '../problem.ts'
import { loadResources } from '../resources.ts'
import type { Shell } from '../shell.ts'
import type { Colour } from '../text.ts'
import { count, oneLine, painter } from '../text.ts'

/** `orrery doctor`: is everything here as it should be, and if not, what to do. One failed check makes it exit with 1. */
export async function doctor(shell: Shell, options: CommonOptions): Promise<ExitCode> {
  const findings = await examine(shell, options)
  const failed = findings.filter(({ result }) => result === 'fail').length
  const format = machineFormat(options)
  if (format === undefined) writeFindings(shell, findings)
  else writeDocument(shell.out, format, { kind: 'Doctor', ok: failed === 0, checks: findings })
  return failed === 0 ? exitCodes.done : exitCodes.error
}

async function examine(shell: Shell, options: CommonOptions): Promise<readonly Finding[]> {
  const node = checkNode(process.version)
  let connection: Connection
  try {
    connection = shell.connect(connectOptionsOf(options))
  } catch (error) {
    const { problem } = problemOf(error, shell.program)
    const next = problem.code === 'NoKubeconfig' ? problem.next : 'kubectl config view'
    return [node, fail('kubeconfig', problem.message, next)]
  }
  await using opened = connection
  return [node, ...(await examineLocal(shell, opened)), ...(await examineServer(shell, options, opened))]
}

async function examineLocal(shell: Shell, { kubeconfigs, server }: Connection): Promise<readonly Finding[]> {
  if (server === undefined) return []
  const directory = localDataDirectory(kubeconfigs, server)
  return [
    checkKubeconfigs(kubeconfigs, server),
    ...(directory === undefined ? [] : checkDataDirectory(directory, shell)),
  ]
}

async function examineServer(
  shell: Shell,
  options: CommonOptions,
  connection: Connection,
): Promise<readonly Finding[]> {
  const { server } = connection
  const findings: Finding[] = []
  try {
    const startedMs = shell.clock.mono()
    await connection.client.raw('/readyz', { signal: shell.signal })
    findings.push(ok('connection', `ready; answered in ${Math.round(shell.clock.mono() - startedMs)} ms`))
  } catch (error) {
    shell.signal.throwIfAborted()
    const { problem } = problemOf(error, shell.program)
    const because = problem.causes.filter((cause) => !problem.message.includes(cause))
    const next =
      problem.code === 'Unauthorized'
        ? 'kubectl config view --minify'
        : `${shell.program} up   (or check the address in the kubeconfig)`
    const message = `${[problem.message, ...because].join(': ')}. Checks of the server are left out.`
    return [fail('connection', message, next), ...(await certificatesOf(shell, connection))]
  }
  const resources = await loadResources(connection.client, shell.signal)
  const examined: Examined = { shell, options, connection, resources }
  findings.push(checkClock(examined))
  if (server !== undefined) findings.push(await checkCertificates(server, shell))
  for (const [name, check] of [
    ['versions', checkVersions],
    ['permissions', checkPermissions],
    ['definitions', checkDefinitions],
    ['manager', checkManager],
    ['objects', checkObjects],
  ] as const) {
    try {
      findings.push(await check(examined))
    } catch (error) {
      findings.push(refused(name, error))
    }
  }
  return findings
}

/** An expired certificate is a cause of no connection; that nobody listens is another, and was said already. */
async function certificatesOf(shell: Shell, { server }: Connection): Promise<readonly Finding[]> {
  if (server === undefined) return []
  try {
    return [await checkCertificates(server, shell)]
  } catch {
    return []
  }
}

const COLOURS: Readonly<Record<Finding['result'], Colour>> = { ok: 'green', warn: 'yellow', fail: 'red' }

function writeFindings(shell: Shell, findings: readonly Finding[]): void {
  const paint = painter(shell, shell.out)
  const width = Math.max(...findings.map(({ check }) => check.length))
  for (const { check, result, message, next } of findings) {
    const step = next === undefined ? '' : `   next: ${next}`
    shell.out.write(`${paint(COLOURS[result], result.padEnd(4))}  ${check.padEnd(width)}  ${oneLine(message)}${step}\n`)
  }
  const number = (result: Finding['result']) => findings.filter((finding) => finding.result === result).length
  shell.err.write(
    `${count(findings.length, 'check')}: ${number('ok')} ok, ${number('warn')} to look at, ${number('fail')} failed.\n`,
  )
}
