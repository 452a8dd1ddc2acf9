/** The quality to reach, 0 to 1; empty for none. */

interface Props {
  value: number | null;
  onChange: (value: number | null) => void;
}

export function TargetField({ value, onChange }: Props) {
  return (
    <label class="ev-target">
      target
      <input
        class="ev-field"
        type="number"
        min="0"
        max="1"
        step="0.05"
        placeholder="none"
        value={value ?? ""}
        onChange={(event) => {
          const typed = event.currentTarget.value;
          const wanted = Math.min(1, Math.max(0, Number(typed)));
          onChange(typed === "" || Number.isNaN(wanted) ? null : wanted);
        }}
      />
    </label>
  );
}
