//! Remembers where a shape was found last. It changes no result: an entry counts only until the next template is
//! made, since a template may take the shape from then on. Hence it need not be saved.

const SLOTS_MIN: usize = 1 << 8;
const SLOTS_MAX: usize = 1 << 16;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    shape: u64,
    node: u32,
    generation: u32,
}

/// A table with one slot for each low end of a hash; later shapes replace earlier ones.
#[derive(Clone, Debug)]
pub(super) struct ShapeCache {
    slots: Vec<Slot>,
    /// Slots of other generations are empty.
    generation: u32,
}

impl ShapeCache {
    pub(super) fn new(nodes: usize) -> Self {
        Self { slots: vec![Slot::default(); slots_for(nodes)], generation: 1 }
    }

    #[inline]
    pub(super) fn get(&self, shape: u64) -> Option<u32> {
        let slot = &self.slots[shape as usize & (self.slots.len() - 1)];
        (slot.shape == shape && slot.generation == self.generation).then_some(slot.node)
    }

    #[inline]
    pub(super) fn put(&mut self, shape: u64, node: u32) {
        let mask = self.slots.len() - 1;
        self.slots[shape as usize & mask] = Slot { shape, node, generation: self.generation };
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.slots.fill(Slot::default());
            self.generation = 1;
        }
    }

    /// Keeps the table as large as the number of nodes deserves.
    pub(super) fn fit(&mut self, nodes: usize) {
        if slots_for(nodes) > self.slots.len() {
            *self = Self::new(nodes);
        }
    }

    /// A function of the number of nodes alone.
    pub(super) fn bytes(nodes: usize) -> usize {
        slots_for(nodes) * size_of::<Slot>()
    }
}

fn slots_for(nodes: usize) -> usize {
    (nodes * 4).next_power_of_two().clamp(SLOTS_MIN, SLOTS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_found_after_clearing() {
        let mut cache = ShapeCache::new(0);
        cache.put(7, 3);
        assert_eq!(cache.get(7), Some(3));
        assert_eq!(cache.get(7 + SLOTS_MIN as u64), None);
        cache.clear();
        assert_eq!(cache.get(7), None);
        assert_eq!(cache.get(0), None, "an empty slot is no entry for shape 0");
    }
}
