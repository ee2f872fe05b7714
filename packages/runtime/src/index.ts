/** `@orrery/runtime`: the control loop: source, predicate, queue, controller, manager, election. */

export type { Controller, ControllerOptions, Informers, Outcome, ReconcileContext, Watch } from './controller.ts'
export { again, done, TerminalError } from './controller.ts'
export type { Health, Leadership, Manager, ManagerOptions } from './manager.ts'
