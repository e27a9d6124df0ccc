# Builds less of llama.cpp, and its small files together: its C++ was 40 % of the processor time of a first build.
#
# `.cargo/config.toml` has CMake read this file with llama.cpp's project; it acts after all of the project's own files.
# A build that does not read it takes longer and gives the same program. When a new version of the binding calls more,
# linking fails and names the function: its file belongs into the list below.

if(CMAKE_VERSION VERSION_LESS 3.19) # no DEFER
    return()
endif()

# Compiles the files of `target` together, in batches, but for those whose path matches `alone`.
function(tempograph_together target alone)
    get_target_property(folder ${target} SOURCE_DIR)
    get_target_property(files ${target} SOURCES)
    list(FILTER files EXCLUDE REGEX "^/")
    list(TRANSFORM files PREPEND "${folder}/")
    set_source_files_properties(${files} TARGET_DIRECTORY ${target} PROPERTIES SKIP_UNITY_BUILD_INCLUSION OFF)
    list(FILTER files INCLUDE REGEX "${alone}")
    set_source_files_properties(${files} TARGET_DIRECTORY ${target} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
endfunction()

function(tempograph_build_less)
    # What the binding's wrapper refers to; not the templates of chats, the command line and the downloads.
    set_target_properties(llama-common PROPERTIES SOURCES
        "common.cpp;fit.cpp;json-schema-to-grammar.cpp;json-schema.cpp;json.cpp;log.cpp;ngram-cache.cpp;ngram-map.cpp;ngram-mod.cpp;reasoning-budget.cpp;sampling.cpp;speculative.cpp;trie.cpp;unicode.cpp")
    get_target_property(libraries llama-common LINK_LIBRARIES)
    list(REMOVE_ITEM libraries cpp-httplib)
    set_target_properties(llama-common PROPERTIES LINK_LIBRARIES "${libraries}")
    set_target_properties(cpp-httplib PROPERTIES EXCLUDE_FROM_ALL ON)

    # llama.cpp compiles the graphs of its text models together; the rest of the library can be, too, and of the vision
    # encoders all but the helpers, which must not see the insides.
    tempograph_together(llama "^$")
    tempograph_together(mtmd "mtmd-helper")
endfunction()
cmake_language(DEFER CALL tempograph_build_less)
