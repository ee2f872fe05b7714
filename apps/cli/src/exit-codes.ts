/** The exit codes of every command. They are contract: scripts rely on them. */
export const exitCodes = {
  /** Done; what was looked at is as declared. */
  done: 0,
  /** The command failed, or a check of `doctor` did. */
  error: 1,
  /** What was looked at is not as declared: not ready, drifted, or with a change pending. `--exit-zero` turns it into 0. */
  difference: 2,
  /** A change is denied: by a guard that protects data, or by policy. */
  denied: 3,
  /** A change waits for approval. */
  approval: 4,
  /** Something did not happen within its time. */
  timeout: 5,
} as const

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]
