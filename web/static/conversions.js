/**
 * Units for those who grew up with others: the same as conversions.py on the server.
 * tests/web/pages/formats.json holds both to one result.
 */

const CONVERSIONS = {
  declared: {},
  imperial: {
    "Cel": { unit: "degF", factor: 1.8, after: 32 },
    "km": { unit: "mi", factor: 0.621371192237334 },
    "m": { unit: "ft", factor: 3.280839895013123 },
    "cm": { unit: "in", factor: 0.3937007874015748 },
    "mm": { unit: "in", factor: 0.03937007874015748, finer: 1 },
    "m2": { unit: "ft2", factor: 10.763910416709722 },
    "m3": { unit: "ft3", factor: 35.31466672148859 },
    "m3/s": { unit: "ft3/s", factor: 35.31466672148859 },
    "l": { unit: "gal", factor: 0.26417205235814845, finer: 1 },
    "l/s": { unit: "gal/min", factor: 15.850323141488907 },
    "m/s": { unit: "mph", factor: 2.2369362920544025 },
    "km/h": { unit: "mph", factor: 0.621371192237334 },
    "kg": { unit: "lb", factor: 2.2046226218487757 },
    "g": { unit: "oz", factor: 0.03527396194958041, finer: 1 },
    "kPa": { unit: "psi", factor: 0.14503773773020923, finer: 1 },
    "hPa": { unit: "inHg", factor: 0.029529983071445, finer: 2 },
  },
  metric: {
    "degF": { unit: "Cel", factor: 0.5555555555555556, before: -32 },
    "mi": { unit: "km", factor: 1.609344 },
    "ft": { unit: "m", factor: 0.3048, finer: 1 },
    "in": { unit: "cm", factor: 2.54 },
    "ft2": { unit: "m2", factor: 0.09290304, finer: 1 },
    "ft3": { unit: "m3", factor: 0.028316846592, finer: 2 },
    "gal": { unit: "l", factor: 3.785411784 },
    "gal/min": { unit: "l/s", factor: 0.0630901964, finer: 1 },
    "mph": { unit: "km/h", factor: 1.609344 },
    "lb": { unit: "kg", factor: 0.45359237 },
    "oz": { unit: "g", factor: 28.349523125 },
    "psi": { unit: "kPa", factor: 6.894757293168361 },
    "inHg": { unit: "hPa", factor: 33.86388666666667 },
  },
};

/**
 * How values in `unit` are shown in a system of units: { unit, value(number), decimals(count) }. Where the unit stays as
 * it is, so do they; converting twice does no harm.
 */
export function conversion(unit, system) {
  const { unit: other, factor, before = 0, after = 0, finer = 0 } = CONVERSIONS[system]?.[unit] ?? { unit, factor: 1 };
  return {
    unit: other,
    value: (value) => (typeof value === "number" ? (value + before) * factor + after : value),
    decimals: (decimals) => (decimals === null ? null : decimals + finer),
  };
}
