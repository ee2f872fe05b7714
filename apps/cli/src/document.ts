import { formatYaml, stringifyJson } from '@orrery/api'
import type { Output } from './shell.ts'

/** The version of every document this program prints for machines. It rises when a field changes its meaning or goes. */
export const FORMAT_VERSION = '1'

/** How a machine wants its answer. */
export type MachineFormat = 'json' | 'yaml'

/** Writes one document for a machine, and nothing else. Absent fields are left out. */
export function writeDocument(out: Output, format: MachineFormat, fields: Readonly<Record<string, unknown>>): void {
  const document = { formatVersion: FORMAT_VERSION, ...fields }
  out.write(format === 'json' ? `${stringifyJson(document, { indent: 2 })}\n` : formatYaml(document))
}

/** The machine format that a command line asks for; also for errors in the command line itself. */
export function machineFormatOf(args: readonly string[]): MachineFormat | undefined {
  const at = args.findIndex((arg) => /^(-o|--output)/.test(arg))
  const arg = args[at] ?? ''
  const value = /^(?:-o=?|--output=)(.+)$/.exec(arg)?.[1] ?? (arg === '-o' || arg === '--output' ? args[at + 1] : '')
  return value === 'json' || value === 'yaml' ? value : undefined
}
