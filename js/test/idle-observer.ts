/** An observer of the page, of any kind, that never sees a change. */
export class IdleObserver {
  observe() {}
  disconnect() {}
}
