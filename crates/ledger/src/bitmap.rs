//! A set of numbers as bits, in pieces of 65,536. A piece that is full needs no memory: a run that is read to its end is a list
//! of full pieces, and at most the pieces that are being filled are there.

/// Numbers in a piece.
pub const PIECE: u64 = 65_536;
const WORDS: usize = (PIECE / 64) as usize;

enum Piece {
    Empty,
    Part(Box<Part>),
    Full,
}

struct Part {
    words: [u64; WORDS],
    count: u64,
}

/// A set of numbers below [`MOST_MESSAGES`](crate::MOST_MESSAGES).
#[derive(Default)]
pub struct Bitmap {
    pieces: Vec<Piece>,
    count: u64,
}

impl Bitmap {
    /// Adds a number. `false` when it was there.
    pub fn insert(&mut self, number: u64) -> bool {
        let (at, word, bit) = place(number);
        if at >= self.pieces.len() {
            self.pieces.resize_with(at + 1, || Piece::Empty);
        }
        let piece = &mut self.pieces[at];
        if let Piece::Empty = piece {
            *piece = Piece::Part(Box::new(Part { words: [0; WORDS], count: 0 }));
        }
        let Piece::Part(part) = piece else { return false };
        if part.words[word] & bit != 0 {
            return false;
        }
        part.words[word] |= bit;
        part.count += 1;
        self.count += 1;
        if part.count == PIECE {
            *piece = Piece::Full;
        }
        true
    }

    /// Whether the number is there.
    pub fn contains(&self, number: u64) -> bool {
        let (at, word, bit) = place(number);
        self.word_at(at, word) & bit != 0
    }

    /// How many numbers are there.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// All numbers are below this one.
    pub fn end(&self) -> u64 {
        self.pieces.len() as u64 * PIECE
    }

    /// The numbers from `64 * index` on, 64 of them, the first one in the lowest bit.
    pub fn word(&self, index: u64) -> u64 {
        let (at, word, _) = place(index * 64);
        self.word_at(at, word)
    }

    /// Whether all numbers of a piece are there.
    pub fn is_full(&self, piece: u64) -> bool {
        let piece = usize::try_from(piece).ok().and_then(|piece| self.pieces.get(piece));
        matches!(piece, Some(Piece::Full))
    }

    /// All numbers, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        (0..self.end() / 64).flat_map(|index| bits(self.word(index)).map(move |bit| index * 64 + bit))
    }

    fn word_at(&self, at: usize, word: usize) -> u64 {
        match self.pieces.get(at) {
            None | Some(Piece::Empty) => 0,
            Some(Piece::Part(part)) => part.words[word],
            Some(Piece::Full) => u64::MAX,
        }
    }

    /// Bytes that the pieces take.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Part(_))).count() * size_of::<Part>()
    }
}

/// The positions of the bits that are set, the lowest first.
pub fn bits(mut word: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        // The lowest bit that is set, taken away.
        word &= word.wrapping_sub(1);
        (bit < 64).then_some(u64::from(bit))
    })
}

fn place(number: u64) -> (usize, usize, u64) {
    let within = number % PIECE;
    // Numbers are below a billion, so that this fits everywhere.
    ((number / PIECE) as usize, (within / 64) as usize, 1 << (within % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_there_once() {
        let mut bitmap = Bitmap::default();
        for number in [0, 63, 64, 65_535, 65_536, 999_999_999] {
            assert!(!bitmap.contains(number));
            assert!(bitmap.insert(number));
            assert!(!bitmap.insert(number));
            assert!(bitmap.contains(number));
        }
        assert_eq!(bitmap.len(), 6);
        assert_eq!(bitmap.iter().collect::<Vec<_>>(), [0, 63, 64, 65_535, 65_536, 999_999_999]);
    }

    #[test]
    fn a_full_piece_takes_no_memory_and_forgets_nothing() {
        let mut bitmap = Bitmap::default();
        let count = 3 * PIECE;
        for number in (0..count).rev() {
            assert!(bitmap.insert(number));
        }
        assert_eq!((bitmap.bytes(), bitmap.len()), (0, count));
        assert!(bitmap.is_full(2) && !bitmap.is_full(3));
        assert!((0..count).all(|number| bitmap.contains(number) && !bitmap.insert(number)));
        assert!(bitmap.insert(count));
        assert!(bitmap.bytes() <= 8 * 1024 + 64);
    }

    #[test]
    fn words_are_windows_of_64_numbers() {
        let mut bitmap = Bitmap::default();
        for number in [64, 66, 127] {
            bitmap.insert(number);
        }
        assert_eq!([bitmap.word(0), bitmap.word(1), bitmap.word(5_000)], [0, 1 | 4 | 1 << 63, 0]);
        assert_eq!(bits(bitmap.word(1)).collect::<Vec<_>>(), [0, 2, 63]);
    }
}
